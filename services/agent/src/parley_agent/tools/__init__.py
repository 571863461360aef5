"""What an agent can do beside speaking: HTTP requests, MCP servers, and what is built in."""
