// The machine that a study ran on, as its results say it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace norma::lab {

// Cores that this process may use: those it may run on, and no more than the quota of processor time of its control
// group (version 2) comes to.
std::int64_t usable_cores();
// The least of the quotas (cpu.max) that hold for a control group, itself and above, in whole cores, rounded up; 0:
// none.
std::int64_t cores_of_quota(const std::filesystem::path& root, const std::string& group);

// "machine" of the results document, but for the instruction set, which the workers tell: cpu, cores, memory_bytes, os.
nlohmann::json machine();

}  // namespace norma::lab
