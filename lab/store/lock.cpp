#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "lab/error.h"
#include "lab/store/store.h"

namespace norma::lab {

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = folder + "/lock";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) throw InputError(fmt::format("{}: cannot be written: {}", folder, std::strerror(errno)));
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> process{};
    const ssize_t got = ::read(file_, process.data(), process.size() - 1);
    ::close(file_);
    throw InputError(fmt::format("{}: another norma study is running there{}", folder,
                                 got > 0 ? fmt::format(" (process {})", process.data()) : std::string()));
  }
  // For the message above; the lock is the kernel's.
  const std::string process = std::to_string(getpid());
  if (ftruncate(file_, 0) != 0 || ::write(file_, process.data(), process.size()) < 0) {
    const std::string why = std::strerror(errno);
    ::close(file_);
    throw InputError(fmt::format("{}: cannot be written: {}", folder, why));
  }
}

FolderLock::~FolderLock() {
  ::close(file_);
}

}  // namespace norma::lab
