"""The remaining feeds, one small module a sphere of life; all of them draw on one ``World``."""
