# Installs tc from a GitHub release. Fails closed: no checksum, no install.
#
#   $env:TC_REPOSITORY = "OWNER/tc"; ./install.ps1 [-DryRun]
#
# TC_REPOSITORY  where the releases are, for example someone/tc   (needed)
# TC_VERSION     the release, for example v0.3.0   (default: the latest)
# TC_PREFIX      folder for the program   (default: %LOCALAPPDATA%\Programs\tc)
[CmdletBinding()]
param([switch]$DryRun)

$ErrorActionPreference = "Stop"
Set-StrictMode -Version Latest
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12

if (-not $env:TC_REPOSITORY) { throw "Set TC_REPOSITORY, for example OWNER/tc" }
if (-not [Environment]::Is64BitOperatingSystem) { throw "There is no 32-bit build" }

$version = if ($env:TC_VERSION) { $env:TC_VERSION } else { "latest" }
$prefix = if ($env:TC_PREFIX) { $env:TC_PREFIX } else { Join-Path $env:LOCALAPPDATA "Programs\tc" }
$base = if ($version -eq "latest") {
    "https://github.com/$env:TC_REPOSITORY/releases/latest/download"
} else {
    "https://github.com/$env:TC_REPOSITORY/releases/download/$version"
}
$archive = "tc-x86_64-pc-windows-msvc.tar.gz"

if ($DryRun) {
    Write-Host "tc: would download $base/$archive and its checksum"
    Write-Host "tc: would write $prefix\tc.exe"
    return
}

$work = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    foreach ($name in $archive, "SHA256SUMS") {
        Invoke-WebRequest -UseBasicParsing -Uri "$base/$name" -OutFile (Join-Path $work $name)
    }
    $line = Get-Content (Join-Path $work "SHA256SUMS") |
        Where-Object { ($_ -split "\s+\*?")[1] -eq $archive }
    if (-not $line) { throw "SHA256SUMS has no line for $archive" }
    $want = ($line -split "\s+")[0]
    $have = (Get-FileHash -Algorithm SHA256 (Join-Path $work $archive)).Hash
    if ($have -ne $want) { throw "Checksum of $archive is $have, expected $want" }

    & tar.exe -xzf (Join-Path $work $archive) -C $work "tc.exe"
    if ($LASTEXITCODE -ne 0) { throw "tar could not open $archive" }
    $said = & (Join-Path $work "tc.exe") --version
    if ($LASTEXITCODE -ne 0) { throw "The program does not start" }
    New-Item -ItemType Directory -Force -Path $prefix | Out-Null
    $target = Join-Path $prefix "tc.exe"
    # A running program cannot be overwritten, but it can be moved aside.
    if (Test-Path $target) { Move-Item -Force $target "$target.old" }
    Move-Item -Force (Join-Path $work "tc.exe") $target
    Write-Host "tc: installed $said in $prefix"
    if (($env:PATH -split ";") -notcontains $prefix) {
        Write-Host "tc: add it to your PATH:"
        Write-Host "  [Environment]::SetEnvironmentVariable('PATH', `"$prefix;`" + [Environment]::GetEnvironmentVariable('PATH', 'User'), 'User')"
    }
} finally {
    Remove-Item -Recurse -Force $work
}
