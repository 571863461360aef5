"""The gateway: holds conversations and paces the audio out.

Pure logic: `turns` (whose turn it is), `segments` (text into what is spoken), `playout`
(pacing), `spoken` (what was heard). Around it: `conversation` joins them for one call,
`hearing`, `reply` and `speech` talk to the workers, `transport` to the caller.
"""
