"""What users rely on, pinned: it must survive any change of the package's insides.

The tests here use public names only, and compare with the files in `data/`. What is wanted to change is written anew by
`UPDATE_GOLDENS=1 pytest tests/pins`, or by `UPDATE_GOLDENS=words` when only messages and comments may differ, and data
must not; then read the diff.
"""
