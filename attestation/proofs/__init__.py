"""Verifying what enclaves sign about their answers: for clients and auditors, never in an image."""
