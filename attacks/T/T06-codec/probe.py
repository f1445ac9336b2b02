# coding: utf-7
# In UTF-7 the next line is code.
# +AAo-open('data/file', 'w').write('escaped')
