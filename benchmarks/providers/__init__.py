"""The providers: which cases each passes, what each can do, and what it costs to install."""
