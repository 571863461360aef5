"""What several tests need: real servers, processes, recordings, words."""
