#include "display/sdl/menu_picker.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "display/sdl/menu_canvas.h"

namespace relic86 {

namespace fs = std::filesystem;

void MenuPicker::open(Purpose purpose, std::string title, const std::string& folder,
                      std::function<void(std::string)> chosen) {
  purpose_ = purpose;
  title_ = std::move(title);
  chosen_ = std::move(chosen);
  open_ = true;
  frames_ = 0;
  if (folder_.empty()) folder_ = folder;  // later ones begin where the last file was found
  enter(folder_);
}

void MenuPicker::enter(const std::string& folder) {
  folder_ = folder;
  path_.clear();
  trouble_.clear();
  folders_.clear();
  files_.clear();
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder_, failure)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code vanished;
    (entry.is_directory(vanished) ? folders_ : files_).push_back(name);
  }
  if (failure) trouble_ = failure.message();
  std::sort(folders_.begin(), folders_.end());
  std::sort(files_.begin(), files_.end());
}

void MenuPicker::decide() {
  std::error_code failure;
  const fs::path path = fs::path(folder_) / path_;  // an absolute one replaces the folder
  if (fs::is_directory(path, failure)) return enter(path.lexically_normal().string());
  if (purpose_ == Purpose::OpenFile && !fs::exists(path, failure)) {
    trouble_ = "There is no file of this name.";
    return;
  }
  if (purpose_ == Purpose::NewFile && fs::exists(path, failure)) {
    trouble_ = "There is a file of this name already; choose another one.";
    return;
  }
  folder_ = path.parent_path().string();
  open_ = false;
  chosen_(path.string());
}

void MenuPicker::draw() {
  if (!open_) return;
  const ImVec2 screen = ImGui::GetIO().DisplaySize;
  const float line = ImGui::GetFrameHeightWithSpacing();
  constexpr float kMostLines = 18, kColumns = 30;
  ImGui::SetNextWindowSize({std::min(screen.x * 0.9f, kColumns * line), std::min(screen.y * 0.85f, kMostLines * line)},
                           ImGuiCond_Appearing);
  ImGui::SetNextWindowPos({screen.x / 2, screen.y / 2}, ImGuiCond_Appearing, {0.5f, 0.5f});
  if (frames_ == 0) ImGui::SetNextWindowFocus();
  const std::string name = title_ + "###picker";
  if (ImGui::Begin(name.c_str(), &open_, ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoSavedSettings)) {
    ImGui::TextDisabled("%s", folder_.c_str());
    ImGui::SetNextItemWidth(-1);
    if (frames_ == 0) ImGui::SetKeyboardFocusHere();
    const char* hint = purpose_ == Purpose::OpenFile ? "a file's name or path" : "the new file's name";
    const bool entered = ImGui::InputTextWithHint("##path", hint, &path_, ImGuiInputTextFlags_EnterReturnsTrue);
    std::string next;
    ImGui::BeginChild("##entries", {0, -line}, true);
    if (ImGui::Selectable("../")) next = fs::path(folder_).parent_path().string();
    for (const std::string& folder : folders_) {
      if (ImGui::Selectable((folder + "/").c_str())) next = (fs::path(folder_) / folder).string();
    }
    bool decided = false;
    for (const std::string& file : files_) {
      if (!ImGui::Selectable(file.c_str(), file == path_, ImGuiSelectableFlags_AllowDoubleClick)) continue;
      path_ = file;
      decided = ImGui::IsMouseDoubleClicked(0);
    }
    ImGui::EndChild();
    const bool pressed = ImGui::Button(purpose_ == Purpose::OpenFile ? "Open" : "Create");
    ImGui::SameLine();
    if (ImGui::Button("Cancel") || MenuCanvas::escape_pressed()) open_ = false;
    if (!trouble_.empty()) {
      ImGui::SameLine();
      ImGui::TextUnformatted(trouble_.c_str());
    }
    if (!next.empty()) enter(next);
    if ((entered || pressed || decided) && !path_.empty()) decide();
  }
  ImGui::End();
  if (appearing()) frames_++;
}

}  // namespace relic86
