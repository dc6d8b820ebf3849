"""HJ 212 telemetry: frames on a socket → readings in the pool, seconds after they were measured."""
