"""OpenID Connect: whose account at a provider somebody has. Nothing here knows operators or pages."""
