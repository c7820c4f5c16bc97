"""Quizzes on real runs."""
