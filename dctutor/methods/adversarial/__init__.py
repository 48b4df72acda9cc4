"""Generative adversarial networks whose game finds clusters."""
