"""music: the passenger steers the music in the car, the taximeter plays it."""
