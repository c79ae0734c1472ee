"""Publishing: brings what is published of profiles up to date at a destination, and writes nothing else.

A publisher compares what is to be there with what is there, stops where that looks wrong, writes the difference in one
transaction and then hands it on. `publishing.publish` is the whole path; the modules beside it are its steps.
"""
