# Nothing calls this: vulture must say so, or it did not read what it was given.
def proctor_canary_that_nobody_calls():
    pass
