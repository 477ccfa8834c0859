"""What a page shows of all rows, gathered while they stream by: NumPy alone, in bounded memory.

Statistics of some rows add up exactly, in any order and however the rows are cut, so that a page
says the same for every chunk size and any number of jobs.
"""
