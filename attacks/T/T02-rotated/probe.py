"""What is executed is no text that stands here."""

import codecs

exec(codecs.decode("bcra('qngn/svyr', 'j').jevgr('rfpncrq')", "rot13"))
