#include "lab/results/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

namespace norma::lab {
namespace {

// What stands behind `key` and a separator in a file of such lines; empty if there is none.
std::string value_in(const char* path, const std::string& key, char separator) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t at = line.find(separator);
    if (!line.starts_with(key) || at == std::string::npos) continue;
    if (line.find_first_not_of(" \t", key.size()) != at) continue;
    std::string value = line.substr(at + 1);
    value.erase(0, value.find_first_not_of(" \t\""));
    value.erase(value.find_last_not_of(" \t\"") + 1);
    return value;
  }
  return {};
}

}  // namespace

std::int64_t cores_of_quota(const std::filesystem::path& root, const std::string& group) {
  std::int64_t least = 0;
  std::filesystem::path folder = root / std::filesystem::path(group).relative_path();
  for (const auto levels = std::distance(root.begin(), root.end());
       std::distance(folder.begin(), folder.end()) >= levels; folder = folder.parent_path()) {
    std::ifstream in(folder / "cpu.max");
    double quota = 0, period = 0;
    if (!(in >> quota >> period) || quota <= 0 || period <= 0) continue;  // "max", or no such file
    const auto cores = static_cast<std::int64_t>(std::ceil(quota / period));
    if (least == 0 || cores < least) least = cores;
  }
  return least;
}

std::int64_t usable_cores() {
  cpu_set_t set;
  std::int64_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  // "0::/a/b" is the process's control group (cgroups(7), version 2).
  const std::string group = value_in("/proc/self/cgroup", "0", ':');
  const std::int64_t quota = cores_of_quota("/sys/fs/cgroup", group.empty() ? "/" : group.substr(1));
  if (quota > 0) cores = std::min(cores, quota);
  return cores;
}

nlohmann::json machine() {
  const std::int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  const std::string cpu = value_in("/proc/cpuinfo", "model name", ':');
  const std::string os = value_in("/etc/os-release", "PRETTY_NAME", '=');
  return {{"cpu", cpu.empty() ? "unknown" : cpu},
          {"cores", usable_cores()},
          {"memory_bytes", pages * page},
          {"os", os.empty() ? "unknown" : os}};
}

}  // namespace norma::lab
