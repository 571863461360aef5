"""The stt service: transcribers, voice activity and end of turn. See main."""
