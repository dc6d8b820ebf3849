"""Rivers as lines with kilometre marks: what stands on them, what its readings carry, where an exceedance came from."""
