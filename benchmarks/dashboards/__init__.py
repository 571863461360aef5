"""Pictures of the dashboards, as Grafana's own components draw them."""
