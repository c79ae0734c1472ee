"""Tests of profiles_pipeline."""
