"""What is measured against what. Each script compares two things in one process run, checks that both compute the
same before it times them, and prints medians and their ratio: machines are noisy, ratios less so.
"""
