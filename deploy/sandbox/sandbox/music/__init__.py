"""What the world knows of music: the catalogue and its temporary tokens, and rides that processing tells of.

A ride is written down before `music` is told of it; what it has not answered yet is told again (`events`).
"""
