"""Pretext tasks: labels made from the image itself."""
