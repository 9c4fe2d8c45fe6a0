"""maas-authproxy: the public edge of maas, where partners come in with an API key."""
