"""Measurements of the running engine. Each prints a table and writes one flat JSON object.

`benchmarks.talk` is `make bench`. The scenarios are used by the end-to-end tests too, with
fewer runs and wider bounds.
"""
