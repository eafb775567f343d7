"""The document that describes the API, made from the models and the routes themselves."""
