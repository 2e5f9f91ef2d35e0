"""ONNX files of graphs and networks: the core's formulas, traced as they are."""
