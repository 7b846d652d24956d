#!/bin/bash
# Runs the script of the publishing action as in its container, where the action's files are in /app,
# and its programs are in the folder of user programs of Python.
set -euo pipefail

python() {
    if [ "$1" = -m ]; then
        # The script asks for the folders of the user's programs and libraries (python -m site).
        echo "$ACTION_USER_BASE"
    else
        "$ACTION_PYTHON" "${1/#\/app/$ACTION_FOLDER}" "${@:2}"
    fi
}
export -f python

exec bash "$ACTION_FOLDER/twine-upload.sh"
