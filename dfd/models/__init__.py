"""The networks, each a diffusers model whose shape comes from its config alone."""

from dfd.models.appearance import AppearanceEncoder
from dfd.models.autoencoder import ComponentAutoencoder
from dfd.models.feature_mapping import FeatureMapping
from dfd.models.image_synthesis import ImageSynthesis
from dfd.models.line_extractor import LineExtractor

__all__ = ["AppearanceEncoder", "ComponentAutoencoder", "FeatureMapping", "ImageSynthesis", "LineExtractor"]
