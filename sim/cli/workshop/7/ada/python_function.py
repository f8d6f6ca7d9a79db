def handler(request):
    return "Good morning, I am Ada.\n"
