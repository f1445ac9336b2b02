//! Which modules belong to the standard library.

/// Those of Python 3.8 to 3.14.
const ALWAYS: &str = "\
    __future__ __main__ _abc _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk \
    _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections _collections_abc _compat_pickle \
    _contextvars _csv _ctypes _curses _curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib \
    _frozen_importlib_external _functools _gdbm _hashlib _heapq _imp _io _json _locale _lsprof _lzma \
    _markupbase _md5 _multibytecodec _multiprocessing _opcode _operator _osx_support _overlapped _pickle \
    _posixshmem _posixsubprocess _py_abc _pydecimal _pyio _queue _random _scproxy _sha1 _sha3 _signal \
    _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct _symtable _thread \
    _threading_local _tkinter _tracemalloc _uuid _warnings _weakref _weakrefset _winapi abc antigravity \
    argparse array ast asyncio atexit base64 bdb binascii bisect builtins bz2 cProfile calendar cmath cmd \
    code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars copy \
    copyreg csv ctypes curses dataclasses datetime dbm decimal difflib dis doctest email encodings ensurepip \
    enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt \
    getpass gettext glob grp gzip hashlib heapq hmac html http idlelib imaplib importlib inspect io \
    ipaddress itertools json keyword linecache locale logging lzma mailbox marshal math mimetypes mmap \
    modulefinder msvcrt multiprocessing netrc nt ntpath nturl2path numbers opcode operator optparse os \
    pathlib pdb pickle pickletools pkgutil platform plistlib poplib posix posixpath pprint profile pstats \
    pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource \
    rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket \
    socketserver sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct \
    subprocess symtable sys sysconfig syslog tabnanny tarfile tempfile termios test textwrap this threading \
    time timeit tkinter token tokenize trace traceback tracemalloc tty turtle turtledemo types typing \
    unicodedata unittest urllib uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xml \
    xmlrpc zipapp zipfile zipimport zlib";

/// Others, with the first and the last minor version that has them.
const SOMETIMES: [(u8, u8, &str); 13] = [
    (8, 8, "_dummy_thread dummy_threading"),
    (8, 9, "_bootlocale _xxsubinterpreters formatter parser symbol"),
    (8, 10, "binhex"),
    (8, 11, "_sha256 _sha512 asynchat asyncore distutils imp smtpd"),
    (
        8,
        12,
        "_crypt _msi aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev \
    pipes sndhdr spwd sunau telnetlib uu xdrlib",
    ),
    (8, 13, "_compression"),
    (9, 9, "_peg_parser"),
    (9, 11, "_bootsubprocess"),
    (9, 14, "_aix_support _zoneinfo graphlib zoneinfo"),
    (11, 14, "_tokenize _typing tomllib"),
    (12, 14, "_pydatetime _pylong _sha2"),
    (
        13,
        14,
        "_android_support _colorize _interpchannels _interpqueues _interpreters _ios_support _opcode_metadata \
    _pyrepl _suggestions _sysconfig _wmi",
    ),
    (
        14,
        14,
        "_apple_support _ast_unparse _hmac _py_warnings _remote_debugging _types _zstd annotationlib compression",
    ),
];

/// Whether an import of this finds the standard library of Python 3.`minor`: `sys.stdlib_module_names` of each version, and
/// `test` and `__main__`. Of versions that are not known yet, what the newest has.
pub fn is_standard(module: &str, minor: u8) -> bool {
    let top = module.split('.').next().unwrap_or_default();
    let minor = minor.clamp(8, 14);
    let has = |words: &str| words.split_ascii_whitespace().any(|word| word == top);
    let sometimes = |(first, last, words): &(u8, u8, &str)| (*first..=*last).contains(&minor) && has(words);
    has(ALWAYS) || SOMETIMES.iter().any(sometimes)
}

#[cfg(test)]
mod tests {
    use super::is_standard;

    #[test]
    fn what_is_standard_depends_on_the_version() {
        let has = |module| (8..=15).filter(|minor| is_standard(module, *minor)).collect::<Vec<u8>>();
        assert_eq!(has("os.path"), (8..=15).collect::<Vec<u8>>());
        assert_eq!(has("tomllib"), [11, 12, 13, 14, 15]);
        assert_eq!(has("distutils"), [8, 9, 10, 11]);
        assert_eq!(has("compression.zstd"), [14, 15]);
        assert_eq!([has("requests"), has("")], [[0_u8; 0], [0; 0]]);
    }
}
