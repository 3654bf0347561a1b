"""Paths that need not be any; Path's own methods raise where a name cannot be one."""

from os.path import exists as exists
from os.path import expanduser as expanduser
from os.path import isdir as is_folder
from os.path import isfile as is_file

__all__ = ["exists", "expanduser", "is_file", "is_folder"]
