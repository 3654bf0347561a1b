"""Whether there is such a file or folder; Path's own raise where a name cannot be one."""

from os.path import exists as exists
from os.path import isdir as is_folder
from os.path import isfile as is_file

__all__ = ["exists", "is_file", "is_folder"]
