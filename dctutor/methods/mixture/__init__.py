"""Mixture models written as networks."""
