# SPDX-License-Identifier: MIT
# Completion for bash: source it, or install it as bash-completion/completions/foggara.
# The options are asked of the program itself, so this file never lags behind.
_foggara() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "client server agent gateway demo check status version help mode" -- "$word")
        return
    fi
    case $before in
    -c|--config|--status|--auth-file|--certpem|--keypem|--pkcs12|--ca)
        mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --webroot) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    -l|--listen|-r|--remote|-t|--target|--socks5|--http|--pac)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$word"); return ;;
    -s|--server) mapfile -t COMPREPLY < <(compgen -W "websocks:// websockss:// websocks:kcp:// websockss:kcp://" -- "$word"); return ;;
    --fast|fast) mapfile -t COMPREPLY < <(compgen -W "1 2 3 4" -- "$word"); return ;;
    --via) mapfile -t COMPREPLY < <(compgen -W "kcp tcp" -- "$word"); return ;;
    --log) mapfile -t COMPREPLY < <(compgen -W "error warn info debug trace" -- "$word"); return ;;
    mode) mapfile -t COMPREPLY < <(compgen -W "client server" -- "$word"); return ;;
    help) mapfile -t COMPREPLY < <(compgen -W "client server agent gateway demo check status mode" -- "$word"); return ;;
    esac
    case $command in
    client|server|agent|gateway|demo)
        local options
        options=$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null | grep -oE -e '--[a-z][a-z0-9-]+' | sort -u)
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
    check) mapfile -t COMPREPLY < <(compgen -W "client server agent gateway -c --print-config" -- "$word") ;;
    status) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    mode|kcptun) mapfile -t COMPREPLY < <(compgen -W "mode bind target fast" -- "$word") ;;
    esac
}
complete -F _foggara foggara
