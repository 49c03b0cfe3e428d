//! The Debian packages that guests need.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, Apt};
use crate::guests::kinds::{Arch, Guest};
use crate::run::succeeds_quietly;
use crate::run::{cache, find, is_there, name, output, rustc, say, std_source, succeeds};

/// The packages that a guest needs beside its programs.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) kernel: PathBuf,
    pub(crate) busybox: PathBuf,
}

/// The source of packages, if there is one.
#[derive(Debug)]
pub(crate) struct Packages(Option<Apt>);

impl Packages {
    /// Installs the emulators, and reads the package indexes.
    pub(crate) fn new(chosen: &[&Guest]) -> Self {
        let riscv = chosen.iter().any(|guest| guest.arch == Arch::Riscv64);
        install_tools(riscv);
        Packages(set_up(riscv))
    }

    fn unpacked(&self, package: &str, suite: &str) -> Option<PathBuf> {
        self.0.as_ref()?.unpacked(package, suite)
    }

    fn dependency(&self, package: &str, suite: &str, prefix: &str) -> Option<String> {
        self.0.as_ref()?.dependency(package, suite, prefix)
    }

    /// Fetches what a guest needs.
    ///
    /// # Errors
    /// Returns what cannot be fetched.
    pub(crate) fn prepare(&self, guest: &Guest) -> Result<Files, String> {
        for tool in [guest.arch.emulator(), "cpio"] {
            if !is_there(tool) {
                return Err(tool.into());
            }
        }
        let kernel = self.kernel(guest.arch, guest.suite);
        let kernel = kernel.ok_or_else(|| format!("kernel package in {}", guest.suite))?;
        let busybox = self.busybox(guest.arch).ok_or("busybox-static")?;
        self.compiler(guest.arch)?;
        Ok(Files { kernel, busybox })
    }

    /// Returns the kernel image. Newer packages keep it in `linux-binary-*`.
    fn kernel(&self, arch: Arch, suite: &str) -> Option<PathBuf> {
        let package = match arch {
            // Debian has no cloud image for this processor.
            Arch::Riscv64 => "linux-image-riscv64:riscv64".to_owned(),
            _ => format!("linux-image-cloud-{arch}:{arch}"),
        };
        let image = self.dependency(&package, suite, "linux-image-")?;
        let packages = [image.replace("linux-image", "linux-binary"), image];
        packages.iter().find_map(|package| {
            let folder = self.unpacked(&format!("{package}:{arch}"), suite)?;
            let is_kernel = |path: &Path| {
                let large = fs::metadata(path).is_ok_and(|file| file.len() > 1 << 20);
                path.is_file() && large && name(path).starts_with("vmlinu")
            };
            find(&folder, &is_kernel)
        })
    }

    /// Returns the static busybox.
    fn busybox(&self, arch: Arch) -> Option<PathBuf> {
        let suite = match arch {
            Arch::Riscv64 => "trixie",
            _ => "bookworm",
        };
        let folder = self.unpacked(&format!("busybox-static:{arch}"), suite)?;
        let is_program = |path: &Path| name(path) == "busybox" && path.is_file();
        find(&folder, &|path| {
            is_program(path) && path.parent().is_some_and(|bin| name(bin) == "bin")
        })
    }

    /// Fetches a compiler for a processor. For AArch64 Debian has std as a package, and a compiler of the same
    /// version. For RISC-V 64 the source of std is fetched, to be compiled.
    fn compiler(&self, arch: Arch) -> Result<(), String> {
        if arch == Arch::Amd64 {
            return Ok(());
        }
        self.linker(arch)?;
        if arch == Arch::Riscv64 {
            let version = || rustc(&["--version"]).unwrap_or_default();
            return std_source()
                .map(drop)
                .ok_or_else(|| format!("source of {}", version()));
        }
        let root = rustc_for_arm64();
        if root.exists() {
            return Ok(());
        }
        let suite = "bookworm-security";
        let web = "libstd-rust-web-dev";
        let std = self.dependency(&format!("{web}:amd64"), suite, "libstd-rust-web-");
        let std = std.ok_or(web)?;
        let llvm = self.dependency(&format!("{std}:amd64"), suite, "libllvm");
        let llvm = llvm.ok_or(web)?;
        let packages = [
            "rustc-web:amd64".to_owned(),
            format!("{std}:amd64"),
            format!("{llvm}:amd64"),
            format!("{web}:amd64"),
            format!("{web}:arm64"),
        ];
        let apt = self.0.as_ref().ok_or(web)?;
        apt.together(&root, &packages, suite)
    }

    /// Fetches a linker. It is unpacked, not installed: Debian's cross compilers conflict with gcc-multilib, and
    /// gcc finds its parts relative to its own place.
    fn linker(&self, arch: Arch) -> Result<(), String> {
        let root = gcc_for(arch);
        let gnu = arch.gnu();
        if linker(arch).exists() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(&root);
        let packages = [
            format!("gcc-12-{gnu}:amd64"),
            format!("binutils-{gnu}:amd64"),
            format!("libgcc-12-dev-{arch}-cross:amd64"),
            format!("libc6-dev-{arch}-cross:amd64"),
        ];
        let apt = self.0.as_ref().ok_or("linker")?;
        apt.together(&root, &packages, "bookworm")?;
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu exec {root}/usr/bin/{gnu}-gcc-12 \"$@\"\n",
            root = root.display(),
        );
        let executable = fs::Permissions::from_mode(0o755);
        fs::write(linker(arch), script)
            .and_then(|()| fs::set_permissions(linker(arch), executable))
            .map_err(|error| error.to_string())
    }
}

fn gcc_for(arch: Arch) -> PathBuf {
    cache().join(format!("gcc-{arch}"))
}

/// Returns the linker for a processor.
pub(crate) fn linker(arch: Arch) -> PathBuf {
    gcc_for(arch).join("linker-gcc")
}

/// Returns the folder of Debian's compiler for AArch64.
pub(crate) fn rustc_for_arm64() -> PathBuf {
    cache().join("rustc-arm64")
}

/// Installs packages on this machine. Without root, missing ones are reported later.
fn install_tools(riscv: bool) {
    let mut packages = vec!["cpio", "qemu-system-x86", "qemu-system-arm"];
    if riscv {
        packages.extend(["qemu-system-misc", "opensbi"]);
    }
    packages.retain(|package| !succeeds_quietly(Command::new("dpkg").args(["-s", package])));
    if packages.is_empty() {
        return;
    }
    if output(Command::new("id").arg("-u")).as_deref() != Some("0") {
        return say(format_args!(
            "without root these cannot be installed: {}",
            packages.join(" ")
        ));
    }
    say(format_args!("installing {}", packages.join(" ")));
    succeeds(Command::new("apt-get").args(["update", "-qq"]));
    let install = |packages: &[&str]| {
        let mut install = Command::new("apt-get");
        install.args(["install", "-y", "-qq", "--no-install-recommends"]);
        succeeds_quietly(install.args(packages))
    };
    // All at once; if that fails, one by one, so that those that exist are installed.
    if !install(&packages) {
        for package in packages {
            if !install(&[package]) {
                say(format_args!("cannot install {package}"));
            }
        }
    }
}

/// Returns an apt state for the system's mirror, with more suites and architectures.
fn set_up(riscv: bool) -> Option<Apt> {
    let sites = debian::sites();
    let Some(main) = debian::main_site(&sites) else {
        say("this system's apt sources have no Debian mirror");
        return None;
    };
    let security = sites.iter().find(|site| site.contains("debian-security"));
    let security = security.cloned();
    let security = security.unwrap_or_else(|| format!("{}-security", main.trim_end_matches('/')));
    let mut sources = String::new();
    let mut add = |architectures, site, suite| {
        sources += &format!("deb [arch={architectures}] {site} {suite} main\n");
    };
    for suite in ["bookworm", "bookworm-backports", "trixie-backports"] {
        add("amd64,arm64", main, suite);
    }
    if riscv {
        add("riscv64", main, "trixie");
    }
    for suite in ["bullseye-security", "bookworm-security"] {
        add("amd64,arm64", &security, suite);
    }
    let folder = cache().join("apt");
    let apt = Apt::new(&folder, &sources, &["amd64", "arm64", "riscv64"]).ok()?;
    // If this fails, missing packages are reported later.
    apt.update();
    Some(apt)
}
