#include "lab/results/machine.h"

#include <sched.h>
#include <unistd.h>

#include <fstream>
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

std::int64_t usable_cores() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
  return 1;
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
