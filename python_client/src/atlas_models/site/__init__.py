"""The catalogue as a folder of static pages: read at one moment, rendered, and put in place as a whole."""
