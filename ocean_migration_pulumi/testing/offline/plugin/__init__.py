"""The processes of a program and its plugin, and the providers: plugins and mocks."""
