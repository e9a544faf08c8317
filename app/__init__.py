"""The interface. It contains no mathematics: everything it shows comes through `backend` from `vae`."""
