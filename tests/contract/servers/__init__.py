"""Servers that speak the wire protocols of providers, on loopback, with real work behind them.

One file a provider. They validate what the SDK sends, and misbehave on demand.
"""
