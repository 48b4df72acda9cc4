"""Variational autoencoders whose prior has clusters."""
