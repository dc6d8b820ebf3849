"""Analyses: pictures of many cases. They raise no clue and name no person."""
