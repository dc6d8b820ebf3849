"""Cameras of agencies: a register, providers that play them, tickets for playing, and frames that are kept."""
