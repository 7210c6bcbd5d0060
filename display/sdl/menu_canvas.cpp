#include "display/sdl/menu_canvas.h"

#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace relic86 {

namespace {

constexpr float kFontSize = 15;  // window units: 11 points at 96 dots an inch
// Of Debian's fonts-dejavu-core; without it the font that Dear ImGui carries is used.
constexpr const char* kFontFile = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

struct KeyRow {
  ImGuiKey key;
  SDL_Scancode scancode;
};
constexpr KeyRow kKeys[] = {
    {ImGuiKey_Tab, SDL_SCANCODE_TAB},
    {ImGuiKey_LeftArrow, SDL_SCANCODE_LEFT},
    {ImGuiKey_RightArrow, SDL_SCANCODE_RIGHT},
    {ImGuiKey_UpArrow, SDL_SCANCODE_UP},
    {ImGuiKey_DownArrow, SDL_SCANCODE_DOWN},
    {ImGuiKey_PageUp, SDL_SCANCODE_PAGEUP},
    {ImGuiKey_PageDown, SDL_SCANCODE_PAGEDOWN},
    {ImGuiKey_Home, SDL_SCANCODE_HOME},
    {ImGuiKey_End, SDL_SCANCODE_END},
    {ImGuiKey_Delete, SDL_SCANCODE_DELETE},
    {ImGuiKey_Backspace, SDL_SCANCODE_BACKSPACE},
    {ImGuiKey_Space, SDL_SCANCODE_SPACE},
    {ImGuiKey_Enter, SDL_SCANCODE_RETURN},
    {ImGuiKey_Escape, SDL_SCANCODE_ESCAPE},
    {ImGuiKey_A, SDL_SCANCODE_A},
    {ImGuiKey_C, SDL_SCANCODE_C},
    {ImGuiKey_V, SDL_SCANCODE_V},
    {ImGuiKey_X, SDL_SCANCODE_X},
};

void set_key(ImGuiIO& io, SDL_Scancode scancode, bool down) {
#if IMGUI_VERSION_NUM >= 18700
  for (const KeyRow& row : kKeys) {
    if (row.scancode == scancode) io.AddKeyEvent(row.key, down);
  }
#else
  io.KeysDown[scancode] = down;
#endif
}

void set_modifiers(ImGuiIO& io, SDL_Keymod modifiers) {
#if IMGUI_VERSION_NUM >= 18700
  io.AddKeyEvent(ImGuiMod_Ctrl, (modifiers & KMOD_CTRL) != 0);
  io.AddKeyEvent(ImGuiMod_Shift, (modifiers & KMOD_SHIFT) != 0);
#else
  io.KeyCtrl = (modifiers & KMOD_CTRL) != 0;
  io.KeyShift = (modifiers & KMOD_SHIFT) != 0;
#endif
}

const char* clipboard(void* kept) {
  auto& text = *static_cast<std::string*>(kept);
  char* const offered = SDL_GetClipboardText();
  text = offered == nullptr ? "" : offered;
  SDL_free(offered);
  return text.c_str();
}

void set_style(ImGuiStyle& style, float scale) {
  style = ImGuiStyle();
  ImGui::StyleColorsDark(&style);
  style.WindowRounding = 4;
  style.PopupRounding = 4;
  style.FrameRounding = 3;
  style.WindowPadding = {10, 8};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {10, 6};
  style.WindowBorderSize = 1;
  style.DisabledAlpha = 0.5f;
  const ImVec4 ground(0.12f, 0.13f, 0.15f, 0.98f), text(0.93f, 0.94f, 0.95f, 1), accent(0.20f, 0.42f, 0.68f, 1);
  style.Colors[ImGuiCol_Text] = text;
  style.Colors[ImGuiCol_MenuBarBg] = style.Colors[ImGuiCol_PopupBg] = style.Colors[ImGuiCol_WindowBg] = ground;
  style.Colors[ImGuiCol_Header] = style.Colors[ImGuiCol_HeaderHovered] = style.Colors[ImGuiCol_HeaderActive] = accent;
  style.Colors[ImGuiCol_TitleBgActive] = accent;
  style.Colors[ImGuiCol_Border] = {0.35f, 0.37f, 0.40f, 1};
  style.ScaleAllSizes(scale);
}

}  // namespace

MenuCanvas::MenuCanvas(SDL_Window* window, SDL_Renderer* renderer)
    : window_(window), renderer_(renderer), context_(ImGui::CreateContext()) {
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;  // nothing is written where the program was started
  io.LogFilename = nullptr;
  io.ConfigFlags |= ImGuiConfigFlags_NavEnableKeyboard;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  io.BackendPlatformName = io.BackendRendererName = "relic86";
#if IMGUI_VERSION_NUM < 18700
  for (const KeyRow& row : kKeys) io.KeyMap[row.key] = row.scancode;
#endif
  io.ClipboardUserData = new std::string;
  io.GetClipboardTextFn = clipboard;
  io.SetClipboardTextFn = [](void*, const char* text) { SDL_SetClipboardText(text); };
  choose_font(pixel_scale());
}

MenuCanvas::~MenuCanvas() {
  ImGui::SetCurrentContext(context_);
  delete static_cast<std::string*>(ImGui::GetIO().ClipboardUserData);
  ImGui::DestroyContext(context_);
}

float MenuCanvas::pixel_scale() const {
  int units = 0, pixels = 0, height = 0;
  SDL_GetWindowSize(window_, &units, &height);
  if (SDL_GetRendererOutputSize(renderer_, &pixels, &height) != 0 || units <= 0) return 1;
  return static_cast<float>(pixels) / static_cast<float>(units);
}

// Text is made for the size at which it is shown, so that it is sharp.
void MenuCanvas::choose_font(float scale) {
  if (scale == font_scale_) return;
  font_scale_ = scale;
  ImGuiIO& io = ImGui::GetIO();
  io.Fonts->Clear();
  ImFontConfig config;
  config.OversampleH = 2;
  config.PixelSnapH = true;
  const float size = std::round(kFontSize * scale);
  std::error_code failure;
  // Latin with its extensions, punctuation, arrows.
  static constexpr ImWchar kRanges[] = {0x20, 0x17F, 0x2010, 0x2026, 0x2190, 0x2193, 0};
  if (!std::filesystem::exists(kFontFile, failure) ||
      io.Fonts->AddFontFromFileTTF(kFontFile, size, &config, kRanges) == nullptr) {
    config.SizePixels = size;
    io.Fonts->AddFontDefault(&config);
  }
  font_.reset();
  set_style(ImGui::GetStyle(), scale);
}

void MenuCanvas::make_font_texture() {
  if (font_) return;
  ImGuiIO& io = ImGui::GetIO();
  unsigned char* pixels = nullptr;
  int width = 0, height = 0;
  io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  font_.reset(SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_ABGR8888, SDL_TEXTUREACCESS_STATIC, width, height));
  if (!font_) return;
  SDL_UpdateTexture(font_.get(), nullptr, pixels, 4 * width);
  SDL_SetTextureBlendMode(font_.get(), SDL_BLENDMODE_BLEND);
  SDL_SetTextureScaleMode(font_.get(), SDL_ScaleModeLinear);
  io.Fonts->SetTexID(font_.get());
}

void MenuCanvas::feed(const SDL_Event& event) {
  ImGuiIO& io = ImGui::GetIO();
  const float scale = font_scale_;
  switch (event.type) {
    case SDL_MOUSEMOTION:
      io.MousePos = {static_cast<float>(event.motion.x) * scale, static_cast<float>(event.motion.y) * scale};
      break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: {
      const int button = event.button.button == SDL_BUTTON_LEFT ? 0 : event.button.button == SDL_BUTTON_RIGHT ? 1 : 2;
      io.MousePos = {static_cast<float>(event.button.x) * scale, static_cast<float>(event.button.y) * scale};
      io.MouseDown[button] = event.type == SDL_MOUSEBUTTONDOWN;
      break;
    }
    case SDL_MOUSEWHEEL: io.MouseWheel += static_cast<float>(event.wheel.y); break;
    case SDL_TEXTINPUT: io.AddInputCharactersUTF8(event.text.text); break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
      set_key(io, event.key.keysym.scancode, event.type == SDL_KEYDOWN);
      // Dear ImGui chooses by the space bar; people press Enter.
      if (event.key.keysym.scancode == SDL_SCANCODE_RETURN && !io.WantTextInput)
        set_key(io, SDL_SCANCODE_SPACE, event.type == SDL_KEYDOWN);
      set_modifiers(io, static_cast<SDL_Keymod>(event.key.keysym.mod));
      break;
    default: break;
  }
}

bool MenuCanvas::is_control_key(SDL_Scancode scancode) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const KeyRow& row) { return row.scancode == scancode; });
}

bool MenuCanvas::choice_settled() {
  const ImGuiContext& context = *ImGui::GetCurrentContext();
  return context.NavId != 0 && !context.NavAnyRequest && !context.NavInitRequest;
}

void MenuCanvas::show_choice() { ImGui::GetCurrentContext()->NavDisableHighlight = false; }

bool MenuCanvas::escape_pressed() {
#if IMGUI_VERSION_NUM >= 18700
  return ImGui::IsKeyPressed(ImGuiKey_Escape);
#else
  return ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Escape));
#endif
}

void MenuCanvas::forget_keys() {
  ImGuiIO& io = ImGui::GetIO();
  for (const KeyRow& row : kKeys) set_key(io, row.scancode, false);
  set_modifiers(io, KMOD_NONE);
}

void MenuCanvas::forget_input() {
  forget_keys();
  ImGuiIO& io = ImGui::GetIO();
  std::fill(std::begin(io.MouseDown), std::end(io.MouseDown), false);
  constexpr float kNowhere = -1e6f;
  io.MousePos = {kNowhere, kNowhere};
}

unsigned MenuCanvas::open_popups() const { return static_cast<unsigned>(context_->OpenPopupStack.Size); }

void MenuCanvas::close_popups() {
  ImGui::SetCurrentContext(context_);
  if (!ImGui::GetCurrentContext()->OpenPopupStack.empty()) ImGui::ClosePopupToLevel(0, false);
}

void MenuCanvas::begin() {
  ImGui::SetCurrentContext(context_);
  choose_font(pixel_scale());
  make_font_texture();
  ImGuiIO& io = ImGui::GetIO();
  int width = 0, height = 0;
  SDL_GetRendererOutputSize(renderer_, &width, &height);
  io.DisplaySize = {static_cast<float>(width), static_cast<float>(height)};
  // A host that draws slowly does not make keys repeat that were pressed once.
  constexpr float kMillisecond = 0.001f, kLongest = 0.033f;
  const u64 now = SDL_GetTicks64();
  io.DeltaTime = std::clamp(static_cast<float>(now - last_frame_) * kMillisecond, kMillisecond, kLongest);
  last_frame_ = now;
  ImGui::NewFrame();
  line_height_ = ImGui::GetFrameHeight();
}

void MenuCanvas::end() { ImGui::Render(); }

void MenuCanvas::draw() {
  const ImDrawData* const data = ImGui::GetDrawData();
  if (data == nullptr) return;
  for (int i = 0; i < data->CmdListsCount; i++) {
    const ImDrawList& list = *data->CmdLists[i];
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback != nullptr) continue;  // none is ever given
      const SDL_Rect clip{static_cast<int>(command.ClipRect.x), static_cast<int>(command.ClipRect.y),
                          static_cast<int>(command.ClipRect.z - command.ClipRect.x),
                          static_cast<int>(command.ClipRect.w - command.ClipRect.y)};
      if (clip.w <= 0 || clip.h <= 0) continue;
      SDL_RenderSetClipRect(renderer_, &clip);
      const ImDrawVert* const first = list.VtxBuffer.Data + command.VtxOffset;
      SDL_RenderGeometryRaw(renderer_, static_cast<SDL_Texture*>(command.GetTexID()), &first->pos.x, sizeof(ImDrawVert),
                            reinterpret_cast<const SDL_Color*>(&first->col), sizeof(ImDrawVert), &first->uv.x,
                            sizeof(ImDrawVert), list.VtxBuffer.Size - static_cast<int>(command.VtxOffset),
                            list.IdxBuffer.Data + command.IdxOffset, static_cast<int>(command.ElemCount),
                            sizeof(ImDrawIdx));
    }
  }
  SDL_RenderSetClipRect(renderer_, nullptr);
}

void* MenuCanvas::texture_of(const std::shared_ptr<const Frame>& picture) {
  std::erase_if(pictures_, [](const auto& kept) { return kept.second.picture.expired(); });
  if (!picture || picture->width == 0) return nullptr;
  Kept& kept = pictures_[picture.get()];
  if (!kept.texture) {
    kept.picture = picture;
    const int width = static_cast<int>(picture->width), height = static_cast<int>(picture->height);
    kept.texture.reset(SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STATIC, width, height));
    if (!kept.texture) return nullptr;
    SDL_UpdateTexture(kept.texture.get(), nullptr, picture->pixels.data(), width * static_cast<int>(sizeof(u32)));
    SDL_SetTextureScaleMode(kept.texture.get(), SDL_ScaleModeLinear);
  }
  return kept.texture.get();
}

void MenuCanvas::textures_lost() {
  font_.reset();
  pictures_.clear();
}

}  // namespace relic86
