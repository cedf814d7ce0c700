"""What models of one data set share: preprocessing, postprocessing and labels."""
