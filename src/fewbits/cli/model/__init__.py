"""`fewbits model`: encoders made small, described, compared, timed and exported."""
