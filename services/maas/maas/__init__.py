"""maas: subscriptions to metro and taxi, sold with a bank and the metro."""
